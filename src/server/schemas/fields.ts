import { z } from "zod"
import { isTime } from "../../signal/time.ts"

/** What the documents say of a schema besides what it checks. */
interface SchemaNotes {
  /** Its name among the schemas of the document. */
  readonly id?: string
  readonly description?: string
  readonly format?: string
}

/** Names and descriptions of the API's schemas, apart from zod's own registry, which users' schemas may fill too. */
export const schemaNotes = z.registry<SchemaNotes>()

/** A schema that the documents list by its name. */
export function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  schemaNotes.add(schema, { id })
  return schema
}

/** A schema with what it means. */
export function noted<Schema extends z.ZodType>(schema: Schema, description: string): Schema {
  schemaNotes.add(schema, { description })
  return schema
}

/** A text; what else it has to be, whoever uses it checks. */
export function text(description: string): z.ZodString {
  return noted(z.string(), description)
}

/** An id. One that is malformed is one that nothing has. */
export function uuid(description: string): z.ZodString {
  const schema = z.string()
  schemaNotes.add(schema, { description, format: "uuid" })
  return schema
}

/** An RFC 3339 time. */
export function time(description: string): z.ZodString {
  const schema = z.string()
  schemaNotes.add(schema, { description, format: "date-time" })
  return schema
}

/** An RFC 3339 time of a body or query, as a Date. */
export function moment(description: string) {
  const schema = z.string().refine(isTime, "an RFC 3339 time such as 2030-01-31T12:00:00Z")
  schemaNotes.add(schema, { description, format: "date-time" })
  return schema.transform((value) => new Date(value)).exactOptional()
}

/** A whole number of an answer. */
export function count(description: string): z.ZodNumber {
  return noted(z.int(), description)
}

/** How many of a list, as a query has it. */
export function limit(most: number, usual: number) {
  return noted(z.coerce.number().int().min(1).max(most), `How many, 1 to ${most}. Default ${usual}.`).exactOptional()
}

/** Where a page goes on, as a query has it. */
export function place(description: string) {
  return text(description).exactOptional()
}

/** True or false, as a query has it. */
export function flag(description: string) {
  return noted(
    z.enum(["true", "false"]).transform((value) => value === "true"),
    description,
  ).exactOptional()
}

/** Where the next page begins. */
export const next = noted(z.string().nullable(), "Where the next page begins; null after the last.")

/** A role of a tenant. */
export const role = named("Role", z.enum(["owner", "admin", "member"]))

/** Longest `reason`, characters. */
const MAX_REASON = 500

/** Why something is asked for, as a body has it. */
export const reason = noted(
  z
    .string()
    .max(MAX_REASON)
    .refine((value) => value.isWellFormed() && !value.includes("\u0000"), "a text that Postgres can hold"),
  "Why, for the audit log.",
).exactOptional()

/** Any JSON object. */
export const jsonObject = z.record(z.string(), z.unknown())
