import { defineHandler } from "../delivery/handler.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { JsonValue } from "../signal/json.ts"
import { excerpt, listAt, repositoryOf, textAt, valueAt, wordsOf } from "./payload.ts"

/** Data of `release.recorded`. */
export type ReleaseRecorded = {
  readonly repository: string | null
  readonly tag: string
  readonly prerelease: boolean
  readonly assets: number
  /** Words in the release notes. */
  readonly noteWords: number
}

/** Data of `release.classified`. */
export type ReleaseClassified = {
  readonly repository: string | null
  readonly tag: string
  /** Without the tag's prefix; null when the tag holds no semantic version. */
  readonly version: string | null
  readonly kind: ReleaseKind
  readonly noteWords: number
}

/** Data of `release.announcement.drafted`. */
export type ReleaseAnnouncementDrafted = {
  readonly repository: string | null
  readonly headline: string
  /** Who should hear of it. */
  readonly audience: string
  /** What is missing before it can go out. */
  readonly missing: readonly string[]
}

/** What kind of step a release is: Semantic Versioning 2.0.0, with 0.y.z as `initial`. */
type ReleaseKind = "prerelease" | "initial" | "major" | "minor" | "patch" | "unversioned"

const VERSION = /(?:^|[^0-9.])((\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?)/
const AUDIENCE: Readonly<Record<ReleaseKind, string>> = {
  prerelease: "testers",
  initial: "early adopters",
  major: "everyone",
  minor: "users",
  patch: "users",
  unversioned: "maintainers",
}
const MAX_TAG = 200

/** What there is to say of a release. */
export function recordRelease(payload: JsonValue): ReleaseRecorded {
  return {
    repository: repositoryOf(payload),
    tag: excerpt(textAt(payload, "release", "tag_name") ?? "", MAX_TAG),
    prerelease: valueAt(payload, "release", "prerelease") === true,
    assets: listAt(payload, "release", "assets").length,
    noteWords: wordsOf(textAt(payload, "release", "body") ?? "").length,
  }
}

/** Which kind of step a release is, by the version in its tag. */
export function classifyRelease({ repository, tag, prerelease, noteWords }: ReleaseRecorded): ReleaseClassified {
  const [, version, major, minor, patch, suffix] = VERSION.exec(tag) ?? []
  if (version === undefined)
    return { repository, tag, version: null, kind: prerelease ? "prerelease" : "unversioned", noteWords }
  const kind = prerelease || suffix !== undefined ? "prerelease" : stepOf(Number(major), Number(minor), Number(patch))
  return { repository, tag, version, kind, noteWords }
}

/** What to tell whom. */
export function draftAnnouncement({
  repository,
  tag,
  version,
  kind,
  noteWords,
}: ReleaseClassified): ReleaseAnnouncementDrafted {
  const headline = `${repository ?? "A project"} ${version ?? tag} is out (${kind})`
  return { repository, headline, audience: AUDIENCE[kind], missing: noteWords === 0 ? ["release notes"] : [] }
}

/** A published release is recorded, classified by its version, then an announcement is drafted. */
export const releaseHandlers: readonly Handler[] = [
  defineHandler({
    name: "release.record",
    on: "github.release.published",
    run: async ({ signal, emit }) => {
      await emit("release.recorded", recordRelease(signal.data))
    },
  }),
  defineHandler<ReleaseRecorded>({
    name: "release.classify",
    on: "release.recorded",
    run: async ({ signal, emit }) => {
      await emit("release.classified", classifyRelease(signal.data))
    },
  }),
  defineHandler<ReleaseClassified>({
    name: "release.announce",
    on: "release.classified",
    run: async ({ signal, emit }) => {
      await emit("release.announcement.drafted", draftAnnouncement(signal.data))
    },
  }),
]

function stepOf(major: number, minor: number, patch: number): ReleaseKind {
  if (major === 0) return "initial"
  if (patch > 0) return "patch"
  return minor > 0 ? "minor" : "major"
}
