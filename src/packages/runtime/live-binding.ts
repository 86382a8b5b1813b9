import type { Handler } from "../../delivery/handler-definition.ts"
import type { HandlerTemplate } from "../../delivery/template.ts"
import { readParams } from "../../delivery/templates.ts"
import type { FanOutTarget } from "../../emit/fan-out.ts"
import { FleetPromptError } from "../../errors.ts"
import { compilePattern } from "../../signal/pattern.ts"
import type { BindingRecord } from "../../store/bindings.ts"
import { conditionHolds } from "../condition.ts"
import type { Condition } from "../manifest.ts"

/** A tenant's binding as a process holds it, from one change to the next. */
export interface LiveBinding {
  readonly record: BindingRecord
  /** Undefined where this process's release has none of that name. */
  readonly template: HandlerTemplate | undefined
  /**
   * The parameters as the template's schema reads them; it is asked once.
   *
   * @throws FleetPromptError `template_params_invalid`, `template_unknown`
   */
  readonly params: () => unknown
}

/** Takes up a binding with its template. */
export function liveBinding(record: BindingRecord, templates: ReadonlyMap<string, HandlerTemplate>): LiveBinding {
  const template = templates.get(record.template)
  return { record, template, params: once(() => paramsOf(record, template)) }
}

function paramsOf(record: BindingRecord, template: HandlerTemplate | undefined): unknown {
  if (!template) throw templateUnknown(record)
  return readParams(template, record.params)
}

/** What a function answered or threw the first time. */
function once<Result>(ask: () => Result): () => Result {
  let answer: (() => Result) | undefined
  return () => {
    answer ??= settled(ask)
    return answer()
  }
}

function settled<Result>(ask: () => Result): () => Result {
  try {
    const result = ask()
    return () => result
  } catch (error) {
    return () => {
      throw error
    }
  }
}

/** What is told, and thrown, of a binding whose template this process does not have. Its deliveries are left to others. */
export function templateUnknown({
  tenant,
  handler,
  template,
  package: slug,
  version,
}: BindingRecord): FleetPromptError {
  return new FleetPromptError(
    "template_unknown",
    `expected the template "${template}", which ${slug} ${version} uses for "${handler}" of tenant "${tenant}", this process has none of that name; list it in the fleet's templates, or leave the work to processes of the release that has it`,
  )
}

/** A fixed handler has the name of a binding. It runs neither on the other's deliveries nor instead of it. */
export function nameTaken({ tenant, handler, package: slug }: BindingRecord): FleetPromptError {
  return new FleetPromptError(
    "config_invalid",
    `expected no handler of the program to be called "${handler}" as one of the package ${slug} of tenant "${tenant}" is, there is one; rename it, and begin no handler's name with a package's slug and a dot`,
  )
}

/** Where a binding's signals lead. @throws FleetPromptError `pattern_invalid` */
export function targetOf({ handler, pattern, condition }: BindingRecord): FanOutTarget {
  return {
    name: handler,
    on: compilePattern(pattern),
    // What is written was checked with the manifest.
    where: condition === null ? undefined : (signal) => conditionHolds(condition as unknown as Condition, signal),
    version: 1,
    replayable: true,
    priority: () => 0,
    delayMs: () => 0,
    flowKey: () => null,
  }
}

/** A handler for all bindings of one name and template, with the template's limits and retries. */
export function handlerOf(name: string, options: Handler, run: Handler["run"]): Handler {
  return Object.freeze({ ...options, name, run })
}
