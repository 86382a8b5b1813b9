import { checkListLimit } from "../access/person-fields.ts"
import { FleetPromptError } from "../errors.ts"
import { textFault } from "../signal/json.ts"
import {
  type ListedPackage,
  type PackagePlace,
  type PackageRecord,
  type PackageSort,
  selectPackages,
} from "../store/packages.ts"
import type { CatalogueDeps } from "./catalogue-deps.ts"

/** Which packages, and in which order. */
export interface PackageFilter {
  /** Words; the beginning of a word is enough. */
  readonly search?: string
  readonly category?: string
  readonly publisher?: string
  readonly keyword?: string
  /** 1 to 5: the mean of its ratings is at least this. */
  readonly minRating?: number
  /** The best first; default `relevance` with a search, else `installs`. */
  readonly sort?: PackageSort
  /** The `next` of the page before. */
  readonly after?: string
  /** 1 to 500. Default 100. */
  readonly limit?: number
}

/** Some packages, and where the next page begins; null after the last. */
export interface PackagePage {
  readonly packages: readonly PackageRecord[]
  readonly next: string | null
}

const SORTS: readonly PackageSort[] = ["relevance", "installs", "rating", "newest"]
/** Words of a search that are looked for, the first. */
const MAX_WORDS = 16
const MAX_TEXT = 200

/** @throws FleetPromptError `query_invalid` */
export async function listPackages(filter: PackageFilter, { database }: CatalogueDeps): Promise<PackagePage> {
  const search = searchQuery(filter.search)
  const sort = checkSort(filter.sort ?? (search === null ? "installs" : "relevance"))
  const limit = checkListLimit(filter.limit)
  const found = await selectPackages(database, {
    search,
    sort,
    category: checkText("category", filter.category),
    publisher: checkText("publisher", filter.publisher),
    keyword: checkText("keyword", filter.keyword),
    minRating: checkRating(filter.minRating),
    after: filter.after === undefined ? null : parsePlace(filter.after, sort),
    limit: limit + 1,
  })
  const shown = found.slice(0, limit)
  const last = shown.at(-1)
  return {
    packages: shown.map(({ score: _, ...each }) => each),
    next: found.length > limit && last ? formatPlace(last, sort) : null,
  }
}

/** Each word as Postgres' text search reads it: the beginning of a word, all of them. */
function searchQuery(search: string | undefined): string | null {
  const text = checkText("search", search)
  const words = text?.match(/[\p{L}\p{N}]+/gu)?.slice(0, MAX_WORDS) ?? []
  return words.length === 0 ? null : words.map((word) => `'${word}':*`).join(" & ")
}

function checkText(path: string, text: string | undefined): string | null {
  if (text === undefined || text === "") return null
  if (typeof text === "string" && text.length <= MAX_TEXT && textFault(text) === undefined) return text
  throw invalid(path, `a text of at most ${MAX_TEXT} characters`)
}

function checkSort(sort: PackageSort): PackageSort {
  if (SORTS.includes(sort)) return sort
  throw invalid("sort", `one of ${SORTS.join(", ")}`)
}

function checkRating(rating: number | undefined): number | null {
  if (rating === undefined) return null
  if (typeof rating === "number" && rating >= 1 && rating <= 5) return rating
  throw invalid("minRating", "a number from 1 to 5")
}

/** A place as one opaque word. */
function formatPlace({ score, slug }: ListedPackage, sort: PackageSort): string {
  return Buffer.from(`${sort} ${score} ${slug}`).toString("base64url")
}

function parsePlace(cursor: string, sort: PackageSort): PackagePlace {
  const [sorted, score = "", slug = "", ...rest] = Buffer.from(cursor, "base64url").toString().split(" ")
  if (
    sorted === sort &&
    rest.length === 0 &&
    score !== "" &&
    Number.isFinite(Number(score)) &&
    /^[a-z0-9-]+$/.test(slug)
  )
    return { score: Number(score), slug }
  throw invalid("after", "the next of an earlier page of the same order")
}

function invalid(path: string, expected: string): FleetPromptError {
  return new FleetPromptError("query_invalid", `expected ${expected} as ${path}, got something else; correct it`, {
    path,
  })
}
