// What @google/genai gets from an address: one line of JSON for each step. Arguments: address, a model that echoes, one
// that calls get_weather and tells what it returned, one that is over its limit, one whose stream breaks off.
import { GoogleGenAI } from "@google/genai";

const [baseUrl, plain, tools, limited, cut] = process.argv.slice(2);
const ai = new GoogleGenAI({ apiKey: "fairlead", httpOptions: { baseUrl } });
const parametersJsonSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const functionDeclarations = [{ name: "get_weather", description: "Weather of a city", parametersJsonSchema }];
const callable = {
  tool: async () => ({ functionDeclarations }),
  callTool: async (calls) =>
    calls.map(({ id, name, args }) => ({ functionResponse: { id, name, response: { output: `sunny in ${args.city}` } } })),
};

async function join(stream) {
  let text = "";
  for await (const chunk of stream) text += chunk.text ?? "";
  return text;
}

async function talk(streamed) {
  const chat = ai.chats.create({ model: tools, config: { tools: [{ functionDeclarations }] } });
  let call, text = "";
  const send = async (message) => {
    if (!streamed) {
      const answer = await chat.sendMessage({ message });
      call = answer.functionCalls?.[0] ?? call;
      text = answer.text;
      return;
    }
    text = "";
    for await (const chunk of await chat.sendMessageStream({ message })) {
      call = chunk.functionCalls?.[0] ?? call;
      text += chunk.text ?? "";
    }
  };
  for (const question of ["Weather?", "And now?"]) {
    await send(question);
    await send({ functionResponse: { id: call.id, name: call.name, response: { output: "sunny in Turin" } } });
  }
  return text;
}

const contents = "one two three";
const steps = {
  whole: async () => (await ai.models.generateContent({ model: plain, contents })).text,
  stream: async () => join(await ai.models.generateContentStream({ model: plain, contents })),
  calling: async () => (await ai.models.generateContent({ model: tools, contents, config: { tools: [callable] } })).text,
  "calling in a stream": async () =>
    join(await ai.models.generateContentStream({ model: tools, contents, config: { tools: [callable] } })),
  chat: () => talk(false),
  "chat in a stream": () => talk(true),
  count: async () => (await ai.models.countTokens({ model: plain, contents })).totalTokens > 0,
  list: async () => {
    for await (const model of await ai.models.list()) if (model.name) return true;
    return false;
  },
  limited: async () => (await ai.models.generateContent({ model: limited, contents })).text,
  "cut stream": async () => join(await ai.models.generateContentStream({ model: cut, contents: "one two three four five six" })),
};
for (const [name, step] of Object.entries(steps)) {
  let found;
  try {
    found = { got: await step() };
  } catch (error) {
    found = { raised: error.name, status: error.status ?? 0 };
  }
  console.log(JSON.stringify({ step: name, ...found }));
}
