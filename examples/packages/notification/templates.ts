import { defineHandlerTemplate, type HandlerTemplate } from "fleetprompt"
import { z } from "zod"
import { retryOutside } from "../connectors/outside-error.ts"
import type { SlackApi } from "../connectors/slack-api.ts"
import { fillText } from "../fill-text.ts"

const params = z.object({ channel: z.string(), text: z.string() })

/** Tells people. */
export function notificationTemplates(slack: SlackApi): readonly HandlerTemplate[] {
  const notify = defineHandlerTemplate({
    name: "slack.notify",
    description: "Writes a message with data of the signal into a channel, and tells notification.sent.",
    params,
    retry: retryOutside,
    timeoutMs: 30_000,
    run: async ({ signal, params: { channel, text }, credentials, emit, abort }) => {
      const access = { token: (await credentials.get("slack")).reveal("token"), abort }
      const message = await slack.post({ channel, text: fillText(text, signal.data) }, access)
      await emit("notification.sent", { channel, about: signal.type, message })
    },
  })
  return [notify]
}
