import { PROPERTY_SOURCES } from "../connectors/property-api.ts"
import type { ExampleSystems } from "../templates.ts"
import { fakeGithub } from "./fake-github.ts"
import { fakeMls } from "./fake-mls.ts"
import { fakeProperty } from "./fake-property.ts"
import type { FakeSystem } from "./fake-server.ts"
import { fakeSlack } from "./fake-slack.ts"

/** What the fakes take for a token; it opens nothing else. */
export const FAKE_TOKEN = "let-me-in"

/** The systems that can be played, by name. */
export const FAKES = {
  github: () => fakeGithub(FAKE_TOKEN),
  mls: () => fakeMls(FAKE_TOKEN),
  property: () => fakeProperty(FAKE_TOKEN),
  slack: () => fakeSlack(FAKE_TOKEN),
} satisfies Record<string, () => FakeSystem>

/** One of them. */
export type FakeName = keyof typeof FAKES

/** The platform's settings that lead to fakes at these addresses. */
export function systemsAt(urls: Readonly<Record<FakeName, string>>): ExampleSystems {
  const property = Object.fromEntries(PROPERTY_SOURCES.map((source) => [source, `${urls.property}/${source}`]))
  // One entry was made for each source.
  return { ...urls, property: property as ExampleSystems["property"] }
}
