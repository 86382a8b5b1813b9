import type { FakeSystem } from "./fake-server.ts"

/** Plays the part of Slack that takes messages; like Slack it answers with status 200 also when it refuses. */
export function fakeSlack(token: string): FakeSystem {
  let messages = 0
  return {
    name: "slack",
    answer: ({ method, path, token: given }) => {
      if (path !== "/chat.postMessage" || method !== "POST") return undefined
      if (given !== token) return { body: { ok: false, error: "invalid_auth" } }
      messages += 1
      return { body: { ok: true, ts: `1700000000.${String(messages).padStart(6, "0")}` } }
    },
  }
}
