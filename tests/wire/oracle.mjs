// Reads [{protocol, data}] from standard input, data in base64, and writes what the official Node SDKs make of each
// stream: the final message, or {error}. FAIRLEAD_NODE_MODULES names a folder with @anthropic-ai/sdk and openai in it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(path.resolve(process.env.FAIRLEAD_NODE_MODULES), "index.js"));
const { Anthropic } = require("@anthropic-ai/sdk");
const { OpenAI } = require("openai");

const read = {
  messages: (options) =>
    new Anthropic(options).messages.stream({ model: "m", max_tokens: 1, messages: [] }).finalMessage(),
  chat: (options) => new OpenAI(options).chat.completions.stream({ model: "m", messages: [] }).finalChatCompletion(),
};

const found = [];
for (const { protocol, data } of JSON.parse(readFileSync(0, "utf-8"))) {
  const body = Buffer.from(data, "base64");
  const fetch = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
  try {
    found.push(await read[protocol]({ apiKey: "x", baseURL: "http://localhost", maxRetries: 0, fetch }));
  } catch (error) {
    found.push({ error: error.constructor.name, message: String(error.message) });
  }
}
process.stdout.write(JSON.stringify(found));
