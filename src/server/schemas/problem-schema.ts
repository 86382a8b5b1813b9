import { z } from "zod"
import { named, text } from "./fields.ts"

/** An error as every route answers it. */
export const problem = named(
  "Problem",
  z.object({
    type: text("Address of the page that describes the code."),
    title: text("The code in words."),
    status: z.int(),
    detail: text("What was expected, what came, and what to do."),
    code: text("Of the table of errors; it never changes its meaning."),
    path: text("Where in the input the fault is.").optional(),
  }),
)
