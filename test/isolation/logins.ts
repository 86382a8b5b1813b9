import { randomBytes } from "node:crypto"
import { Client } from "pg"
import { serverDatabaseUrl } from "../support/test-database.ts"

/** A database that was set up as the guide says: one login owns, the other has nothing but the two roles. */
export interface Logins {
  /** A superuser, for looking. */
  readonly adminUrl: string
  readonly ownerUrl: string
  readonly appUrl: string
}

/** Makes an empty database with two logins. What is made goes with the test's server. */
export async function makeLogins(): Promise<Logins> {
  const adminUrl = await serverDatabaseUrl()
  const suffix = randomBytes(6).toString("hex")
  const [owner, app] = [`owner_${suffix}`, `app_${suffix}`]
  const database = new URL(adminUrl).pathname.slice(1)
  const client = new Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query(`
      do $$ begin
        if not exists (select from pg_roles where rolname = 'fleetprompt_tenant') then create role fleetprompt_tenant nologin; end if;
        if not exists (select from pg_roles where rolname = 'fleetprompt_engine') then create role fleetprompt_engine nologin; end if;
      exception when duplicate_object or unique_violation then null; end $$;
      create role ${owner} login noinherit password 'owner';
      create role ${app} login noinherit password 'app';
      grant fleetprompt_tenant, fleetprompt_engine to ${owner}, ${app};
      alter database ${database} owner to ${owner};`)
  } finally {
    await client.end()
  }
  const as = (username: string, password: string): string =>
    Object.assign(new URL(adminUrl), { username, password }).href
  return { adminUrl, ownerUrl: as(owner, "owner"), appUrl: as(app, "app") }
}
