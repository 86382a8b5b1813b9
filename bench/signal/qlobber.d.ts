declare module "qlobber" {
  export class Qlobber<Value> {
    constructor(options?: { separator?: string; wildcard_one?: string; wildcard_some?: string; cache_splits?: number })
    add(pattern: string, value: Value): this
    remove(pattern: string, value: Value): this
    match(topic: string): Value[]
  }
}
