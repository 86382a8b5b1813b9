// The peers are installed in bench/ only when the benchmark runs, and the repository's checks have to do
// without them: there they are untyped. The benchmark's own tsconfig.json leaves this file out and uses their types.
declare module "@dbos-inc/dbos-sdk"
declare module "bullmq"
declare module "graphile-worker"
declare module "ioredis"
declare module "pg-boss"
