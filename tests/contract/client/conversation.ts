// One conversation with the client that openapi-typescript makes of openapi.json.
// It must compile without a cast: a type that does not fit is an error of openapi.json.

import createClient from "openapi-fetch";
import type { components, paths } from "./api";

type Event = components["schemas"]["Event"];
type State = components["schemas"]["State"];

declare const process: { env: Record<string, string | undefined>; exit(code: number): never };

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

const client = createClient<paths>({
  baseUrl: setting("BASE_URL"),
  headers: { "X-API-Key": setting("API_KEY") },
});

async function eventsUntilCompleted(conversationKey: string): Promise<Event[]> {
  const events: Event[] = [];
  for (let pulls = 0; pulls < 20; pulls++) {
    const { data, error } = await client.POST("/api/v1/llm/gateway/pull-events", {
      body: { conversationKey, after: events.at(-1)?.sequence ?? 0, wait: "20s" },
    });
    if (error) throw new Error(error.error.message);
    events.push(...data.events);
    if (events.some((event) => event.type === "run.completed")) return events;
  }
  throw new Error("the run did not complete");
}

// Never called: these must not compile.
export async function mistakes(): Promise<void> {
  await client.POST("/api/v1/llm/gateway/get-run", {
    // @ts-expect-error: run_id is missing
    body: { conversationKey: "k" },
  });
  await client.POST("/api/v1/llm/gateway/send-message", {
    // @ts-expect-error: there is no such role
    body: { conversationKey: "k", userMessage: { role: "oracle" } },
  });
  // @ts-expect-error: there is no such method
  await client.POST("/api/v1/llm/gateway/forget-everything", { body: {} });
}

async function main(): Promise<void> {
  const created = await client.POST("/api/v1/llm/gateway/create-thread", {
    body: { name: "From TypeScript", settings: { systemPrompt: "Be brief." } },
    params: { header: { "Idempotency-Key": `ts-${Date.now()}` } },
  });
  if (created.error) throw new Error(created.error.error.message);
  const conversationKey = created.data.conversationKey ?? "";

  const sent = await client.POST("/api/v1/llm/gateway/send-message", {
    body: { conversationKey, userMessage: { role: "user", content: "hello" } },
  });
  if (sent.error) throw new Error(sent.error.error.message);

  const events = await eventsUntilCompleted(conversationKey);
  const state = await client.POST("/api/v1/llm/gateway/conversation-state", {
    body: { conversationKey },
  });
  if (state.error) throw new Error(state.error.error.message);
  const shown: State = state.data;

  const refused = await client.POST("/api/v1/llm/gateway/get-run", {
    body: { conversationKey, runId: "run_unknown" },
  });

  console.log(
    JSON.stringify({
      status: sent.data.status,
      sequences: events.map((event) => event.sequence),
      types: events.map((event) => event.type),
      roles: shown.messages.map((message) => message.role),
      answer: shown.messages.at(-1)?.content,
      tokens: shown.totalUsage?.totalTokens,
      refusal: refused.error?.error.details.reason,
      terminal: refused.error?.error.isTerminal,
    }),
  );
}

main().catch((failure: unknown) => {
  console.error(failure);
  process.exit(1);
});
