// What Vercel's AI SDK with @ai-sdk/google gets from an address: as google_genai.mjs.
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const [url, plain, tools, limited, cut] = process.argv.slice(2);
const google = createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: "fairlead" });
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const execute = async ({ city }) => `sunny in ${city}`;
const calling = {
  tools: { get_weather: tool({ description: "Weather of a city", inputSchema: jsonSchema(schema), execute }) },
  stopWhen: stepCountIs(3),
};

function ask(model, more = {}) {
  return { model: google(model), prompt: "one two three", maxRetries: 0, ...more };
}

async function join(asked) {
  let text = "";
  let failure;
  const result = streamText({ ...asked, onError: ({ error }) => (failure = error) });
  for await (const part of result.textStream) text += part;
  if (failure) throw failure;
  return text;
}

const steps = {
  whole: async () => (await generateText(ask(plain))).text,
  stream: () => join(ask(plain)),
  calling: async () => (await generateText(ask(tools, calling))).text,
  "calling in a stream": () => join(ask(tools, calling)),
  limited: async () => (await generateText(ask(limited))).text,
  "cut stream": () => join(ask(cut, { prompt: "one two three four five six" })),
};
for (const [name, step] of Object.entries(steps)) {
  let found;
  try {
    found = { got: await step() };
  } catch (error) {
    found = { raised: error.name, status: error.statusCode ?? 0 };
  }
  console.log(JSON.stringify({ step: name, ...found }));
}
