import { expect, it } from "vitest"
import { classifyRelease, draftAnnouncement, recordRelease } from "./release.ts"

const recorded = { repository: "octokit/webhooks", tag: "v1.2.3", prerelease: false, assets: 2, noteWords: 3 }

it("reads a release", () => {
  const release = { tag_name: "v1.2.3", prerelease: false, assets: [{}, {}], body: "Fixed two things." }
  expect(recordRelease({ release, repository: { full_name: "octokit/webhooks" } })).toEqual(recorded)
  expect(recordRelease({ release: { tag_name: "1", body: null } })).toMatchObject({ tag: "1", assets: 0, noteWords: 0 })
})

it.each([
  ["v1.2.3", "1.2.3", "patch"],
  ["1.2.0", "1.2.0", "minor"],
  ["2.0.0", "2.0.0", "major"],
  ["0.0.1", "0.0.1", "initial"],
  ["fleetprompt@1.10.0", "1.10.0", "minor"],
  ["v2.0.0-rc.1", "2.0.0-rc.1", "prerelease"],
  ["nightly", null, "unversioned"],
  ["1.2", null, "unversioned"],
  ["", null, "unversioned"],
])("tag %j holds version %j, %s", (tag, version, kind) => {
  expect(classifyRelease({ ...recorded, tag })).toMatchObject({ tag, version, kind })
})

it("believes GitHub that something is a prerelease", () => {
  expect(classifyRelease({ ...recorded, prerelease: true }).kind).toBe("prerelease")
  expect(classifyRelease({ ...recorded, tag: "nightly", prerelease: true }).kind).toBe("prerelease")
})

it("drafts what to tell whom", () => {
  expect(draftAnnouncement(classifyRelease(recorded))).toEqual({
    repository: "octokit/webhooks",
    headline: "octokit/webhooks 1.2.3 is out (patch)",
    audience: "users",
    missing: [],
  })
  const bare = classifyRelease({ ...recorded, repository: null, tag: "nightly", noteWords: 0 })
  expect(draftAnnouncement(bare)).toMatchObject({
    headline: "A project nightly is out (unversioned)",
    missing: ["release notes"],
  })
})
