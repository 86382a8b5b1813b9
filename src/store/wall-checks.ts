import type { Queryable } from "./database.ts"
import { ENGINE_ROLE, MAY_TAKE, TENANT_ROLE } from "./roles.ts"
import { quoteName } from "./tenant-scope.ts"

/** Something with which the walls around tenants' rows do not hold, or statements fail. */
export interface WallFinding {
  /** What is wrong, one word for each kind: `superuser`, `unwalled_table`. */
  readonly setting: string
  /** Of what: a login, a role, a table. */
  readonly value: string
  /** What may happen. */
  readonly risk: string
  /** SQL that mends it; begins with a comment where somebody has to decide. */
  readonly mend: string
}

/** One look at the walls. Reads the catalogue, never a tenant's row. */
export type WallCheck = (database: Queryable) => Promise<readonly WallFinding[]>

/** How many tables one look names. */
const MAX_NAMED = 20

interface Login {
  readonly login: string
  readonly isSuperuser: boolean
  readonly passesWalls: boolean
  readonly inherits: boolean
  readonly ownsTables: boolean
  readonly createsIn: string | null
  readonly rowSecurity: string
  readonly searchPath: string
}

/** Schemas of ours, by what is in them: the login may have no right to the list of tenants. */
export const OUR_SCHEMAS = `ours as (
       select oid from pg_namespace where nspname in ('fleetprompt', 'fleetprompt_auth')
       union
       select relnamespace from pg_class
       where relname = 'signals' and relkind = 'r'
         and 2 = (select count(*) from pg_attribute where attrelid = pg_class.oid and attname in ('tenant', 'tx_id'))
     )`

/** Whoever signs in is to have nothing but the two roles. */
export const checkLogin: WallCheck = async (database) => {
  const [row] = await database.query<Login>(
    `/* selectLogin */ with ${OUR_SCHEMAS}
     select rolname as login, rolsuper as "isSuperuser", rolbypassrls as "passesWalls",
       not rolsuper and pg_has_role(session_user, '${TENANT_ROLE}', 'USAGE') as inherits,
       not rolsuper and exists (select from pg_class where relnamespace in (select oid from ours) and relkind in ('r', 'p')
         and pg_has_role(session_user, relowner, 'MEMBER')) as "ownsTables",
       (select min(nspname) from pg_namespace
        where oid in (select oid from ours) and not rolsuper and has_schema_privilege(session_user, oid, 'CREATE')) as "createsIn",
       current_setting('row_security') as "rowSecurity", current_setting('search_path') as "searchPath"
     from pg_roles where rolname = session_user`,
  )
  return row ? loginFindings(row) : []
}

function loginFindings(row: Login): readonly WallFinding[] {
  const { login } = row
  const name = quoteName(login)
  const apart = `-- a login of its own for DATABASE_URL, the present one as DATABASE_OWNER_URL:\ncreate role app login noinherit password '…'; grant ${TENANT_ROLE}, ${ENGINE_ROLE} to app;`
  const found: (WallFinding | false)[] = [
    row.isSuperuser && {
      setting: "superuser",
      value: login,
      risk: "the login of DATABASE_URL is a superuser, whom no wall stops: whoever gets hold of a connection reads every tenant",
      mend: apart,
    },
    row.passesWalls &&
      !row.isSuperuser && {
        setting: "bypassrls",
        value: login,
        risk: "the login of DATABASE_URL passes by row-level security (BYPASSRLS)",
        mend: `alter role ${name} nobypassrls;`,
      },
    row.ownsTables && {
      setting: "owner",
      value: login,
      risk: "the login of DATABASE_URL owns tables of tenants, so it can take their walls down",
      mend: apart,
    },
    row.inherits &&
      !row.ownsTables && {
        setting: "inherit",
        value: login,
        risk: `the login of DATABASE_URL has the rights of ${TENANT_ROLE} without taking the role, so a statement that forgets to take it is not refused`,
        mend: `alter role ${name} noinherit; revoke ${TENANT_ROLE}, ${ENGINE_ROLE} from ${name}; grant ${TENANT_ROLE}, ${ENGINE_ROLE} to ${name};`,
      },
    row.createsIn !== null &&
      !row.ownsTables && {
        setting: "create",
        value: `${login} in ${row.createsIn}`,
        risk: "the login of DATABASE_URL may make objects in a schema of FleetPrompt, which statements might then use",
        mend: `revoke create on schema ${quoteName(row.createsIn)} from public, ${name};`,
      },
    row.rowSecurity !== "on" && {
      setting: "row_security",
      value: row.rowSecurity,
      risk: "statements on tenants' rows fail instead of being filtered",
      mend: `alter role ${name} reset row_security; alter role ${name} set row_security = on;`,
    },
    !SAFE_PATH.test(row.searchPath) &&
      !row.isSuperuser && {
        setting: "search_path",
        value: row.searchPath,
        risk: "a schema comes before pg_catalog, so a function made there may be called in the place of one of Postgres",
        mend: `alter role ${name} reset search_path; -- and see that the database URL sets none`,
      },
  ]
  return found.filter((each) => each !== false)
}

/** pg_catalog comes first by itself where it is not named. */
const SAFE_PATH = /^(?!.*,\s*"?pg_catalog"?)/

interface RoleRow {
  readonly role: string
  readonly isThere: boolean
  readonly isDangerous: boolean | null
  readonly isMember: boolean | null
  readonly above: string | null
}

/** The two roles are there, can do nothing else, and may be taken. */
export const checkRoles: WallCheck = async (database) => {
  const rows = await database.query<RoleRow>(
    `/* selectRoles */ select wanted as role, oid is not null as "isThere",
       rolsuper or rolbypassrls or rolcanlogin or rolcreaterole or rolcreatedb or rolreplication as "isDangerous",
       ${MAY_TAKE} as "isMember",
       (select string_agg(above.rolname, ', ') from pg_auth_members join pg_roles as above on above.oid = roleid
        where member = pg_roles.oid) as above
     from unnest(array['${TENANT_ROLE}', '${ENGINE_ROLE}']) as wanted left join pg_roles on rolname = wanted`,
  )
  return rows.flatMap(roleFindings)
}

function roleFindings({ role, isThere, isDangerous, isMember, above }: RoleRow): readonly WallFinding[] {
  const found: (WallFinding | false)[] = [
    !isThere && {
      setting: "role_missing",
      value: role,
      risk: "statements cannot run without it",
      mend: `create role ${role} nologin;`,
    },
    isDangerous === true && {
      setting: "role_rights",
      value: role,
      risk: "the role may do more than it is for: it is a superuser, passes by row-level security, signs in, or makes roles or databases",
      mend: `alter role ${role} nosuperuser nobypassrls nologin nocreaterole nocreatedb noreplication;`,
    },
    isMember === false && {
      setting: "membership",
      value: role,
      risk: "the login of DATABASE_URL may not take the role, so statements fail",
      mend: `grant ${role} to …; -- the login of DATABASE_URL`,
    },
    above !== null && {
      setting: "role_member",
      value: `${role} of ${above}`,
      risk: "the role has the rights of others besides its own",
      mend: `revoke ${above} from ${role};`,
    },
  ]
  return found.filter((each) => each !== false)
}

interface TableRow {
  readonly name: string
  readonly count: number
}

/** Every table with a column `tenant`, in any schema of ours, has its wall, also against its owner. */
export const checkTables: WallCheck = async (database) => {
  const rows = await database.query<TableRow>(
    `/* selectUnwalled */ with ${OUR_SCHEMAS}
     select pg_class.oid::regclass::text as name, count(*) over ()::integer as count
     from pg_class join pg_attribute on attrelid = pg_class.oid and attname = 'tenant' and not attisdropped
     where relnamespace in (select oid from ours) and relkind in ('r', 'p')
       and not (relrowsecurity and relforcerowsecurity and exists (
         select from pg_policy where polrelid = pg_class.oid and polname = 'tenant_rows'
           and polroles = array[(select oid from pg_roles where rolname = '${TENANT_ROLE}')]))
     order by 1 limit ${MAX_NAMED}`,
  )
  return rows.map(({ name, count }) => ({
    setting: "unwalled_table",
    value: more(name, count),
    risk: "nothing but the statements themselves keeps tenants apart in it",
    mend: `select fleetprompt.raise_wall('${name}');`,
  }))
}

function more(name: string, count: number): string {
  return count > MAX_NAMED ? `${name} (one of ${count})` : name
}

interface GapRow {
  readonly kind: "policy" | "right" | "view" | "function"
  readonly name: string
  readonly what: string
}

/** Nothing leads round the walls: policies for everybody, rights of others, views and functions that run as their owner. */
export const checkGaps: WallCheck = async (database) => {
  const rows = await database.query<GapRow>(`/* selectGaps */ with ${OUR_SCHEMAS}
     select 'policy' as kind, polrelid::regclass::text as name, polname::text as what
     from pg_policy join pg_class on pg_class.oid = polrelid
     where relnamespace in (select oid from ours) and polpermissive and 0 = any (polroles)
     union all
     select 'right', pg_class.oid::regclass::text, privilege_type || ' for ' || coalesce(rolname, 'public')
     from pg_class cross join lateral aclexplode(relacl) as acl left join pg_roles on pg_roles.oid = grantee
     where relnamespace in (select oid from ours) and relkind in ('r', 'p', 'v', 'm')
       and (grantee = 0 or rolname in ('${TENANT_ROLE}', '${ENGINE_ROLE}')
         and privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER'))
     union all
     select 'view', pg_class.oid::regclass::text, case relkind when 'm' then 'materialized' else 'view' end
     from pg_class where relnamespace in (select oid from ours)
       and (relkind = 'm' or relkind = 'v' and coalesce(array_to_string(reloptions, ','), '') not like '%security_invoker=%')
     union all
     select 'function', pg_proc.oid::regprocedure::text, 'security definer'
     from pg_proc where pronamespace in (select oid from ours) and prosecdef
     order by 1, 2, 3 limit ${MAX_NAMED}`)
  return rows.map(gapFinding)
}

function gapFinding({ kind, name, what }: GapRow): WallFinding {
  switch (kind) {
    case "policy":
      return {
        setting: "open_policy",
        value: `${what} on ${name}`,
        risk: "the policy counts for everybody, whatever role they took",
        mend: `drop policy ${quoteName(what)} on ${name};`,
      }
    case "right":
      return {
        setting: "open_right",
        value: `${what} on ${name}`,
        risk: "row-level security does not stop who has this right",
        mend: `revoke ${what.replace(" for ", ` on ${name} from `)};`,
      }
    case "view":
      return {
        setting: "view",
        value: name,
        risk: "it shows what its owner sees, not what the one who asks may see",
        mend: `-- if it is not to show rows of all tenants:\ndrop ${what === "materialized" ? "materialized view" : "view"} ${name};`,
      }
    case "function":
      return {
        setting: "definer_function",
        value: name,
        risk: "it runs with its owner's rights, whoever calls it",
        mend: `alter function ${name} security invoker;`,
      }
  }
}

/** All looks at the walls, in the order in which they are told. */
export const wallChecks: readonly WallCheck[] = [checkLogin, checkRoles, checkTables, checkGaps]

/**
 * Looks at the walls around tenants' rows on a server.
 *
 * @param database a connection in the name of the login that the application uses.
 * @returns none when all is well.
 *
 * @example
 * for (const { setting, value, mend } of await checkWalls(database)) console.warn(`${setting} ${value}: ${mend}`)
 */
export async function checkWalls(database: Queryable): Promise<readonly WallFinding[]> {
  const findings: WallFinding[] = []
  for (const check of wallChecks) findings.push(...(await check(database)))
  return findings
}
