import { expect, test } from "vitest"
import { labels, notingTemplates, triage } from "../../../test/support/package-rig.ts"
import { desiredBindings, desiredRecords } from "./desired.ts"
import { neededBy } from "./needs.ts"
import { templateProblems } from "./template-problems.ts"
import { templatesOf } from "../../delivery/templates.ts"

const terms = { installationId: "i", config: { label: "defect" }, credentials: { chat: "c", other: "o" } }

test("records have the configuration filled in, and a checksum that follows it", () => {
  const [agent] = desiredRecords(triage, terms.config)
  const [other] = desiredRecords(triage, { label: "bug" })
  expect(agent).toMatchObject({
    kind: "agent",
    name: "triager",
    version: "1.0.0",
    data: { with: { prompt: "Label it defect." } },
  })
  expect(agent?.checksum).not.toBe(other?.checksum)
  expect(desiredRecords(triage, terms.config)).toEqual(desiredRecords(triage, terms.config))
  expect(desiredRecords(triage, terms.config).map(({ kind }) => kind)).toEqual(["agent", "workflow", "schedule"])
})

test("bindings have the credentials that they name alone", () => {
  const [label] = triage.handlers ?? []
  const manifest = { ...triage, handlers: label ? [{ ...label, credentials: ["chat"] }] : [] }
  expect(desiredBindings(manifest, terms, false)).toEqual([
    {
      handler: "triage.label",
      installationId: "i",
      package: "triage",
      version: "1.0.0",
      template: "test.note",
      pattern: "issue.*",
      condition: null,
      params: { text: "label defect" },
      config: terms.config,
      credentials: { chat: "c" },
      isEnabled: false,
    },
  ])
})

test("a sensor with a template is bound to the signal of its own slots", () => {
  const sensors = [
    {
      name: "inbox",
      uses: "test.note",
      cron: "0 * * * *",
      with: { text: "look for ${config.label}" },
      credentials: ["chat"],
    },
    { name: "record" },
  ]
  const [bound, ...others] = desiredBindings({ ...triage, handlers: [], sensors }, terms, true)
  expect(others).toEqual([])
  expect(bound).toMatchObject({
    handler: "triage.inbox",
    template: "test.note",
    pattern: "package.sensor.due",
    condition: { path: "data.sensor", op: "eq", value: "triage.inbox" },
    params: { text: "look for defect" },
    credentials: { chat: "c" },
    isEnabled: true,
  })
  const [problem] = templateProblems({ ...labels, sensors }, terms.config, templatesOf([]))
  expect(problem?.message).toContain('sensor "inbox" of labels')
})

test("templates that are missing, or take something else, are told", () => {
  const templates = templatesOf(notingTemplates().templates)
  expect(templateProblems(triage, terms.config, templates)).toEqual([])
  expect(templateProblems(labels, {}, templatesOf([]))).toEqual([])
  const without = templateProblems(triage, terms.config, templatesOf([]))
  expect(without.map(({ kind, message }) => [kind, /"(test\.\w+)"/.exec(message)?.[1]])).toEqual([
    ["template", "test.note"],
    ["template", "test.add"],
  ])
  const [label] = triage.handlers ?? []
  const wrong = { ...triage, handlers: label ? [{ ...label, with: { text: 1 } }] : [] }
  expect(templateProblems(wrong, terms.config, templates)[0]?.message).toContain('handler "label" of triage')
})

test("who needs a package is named with the range", () => {
  const needing = { package: "triage", version: "1.0.0", targetVersion: null, dependencies: { labels: "^1.0.0" } }
  // Nothing else is looked at.
  const records = [needing] as unknown as Parameters<typeof neededBy>[1]
  expect(neededBy("labels", records)).toBe(
    "expected labels to be needed by no other package, it is by triage 1.0.0 (^1.0.0); uninstall that first",
  )
})
