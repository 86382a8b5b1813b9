import { describe, expect, test } from "vitest"
import { redactText } from "../../guard/redact.ts"
import { configChecksum } from "../config.ts"
import { installationParams, installParams, rollbackParams, upgradeParams } from "./install-params.ts"
import {
  installKey,
  requestedSignalKey,
  rollbackKey,
  toggleKey,
  uninstallKey,
  upgradeKey,
} from "./installation-keys.ts"

const ID = "0198a0b0-0000-7000-8000-000000000001"
const OTHER = "0198a0b0-0000-7000-8000-000000000002"
const of = { tenant: "acme" }
const checksum = configChecksum({ config: true }, { repo: "a/b" })
const install = { package_slug: "github-triage", version: "1.2.0", config: { repo: "a/b" } }
const one = { installation_id: ID, package_slug: "github-triage" }

describe("keys", () => {
  test.each([
    [installKey(install, of), `dir:pkg_install:acme:github-triage:1.2.0:${checksum}`],
    [installKey({ ...install, round: 2 }, of), `dir:pkg_install:acme:github-triage:1.2.0:${checksum}:2`],
    [installKey({ ...install, config_checksum: "sha256:1" }, of), "dir:pkg_install:acme:github-triage:1.2.0:sha256:1"],
    [requestedSignalKey(install, of), `pkg_install_req:acme:github-triage:1.2.0:${checksum}`],
    [upgradeKey({ ...install, installation_id: ID }, of), `dir:pkg_upgrade:acme:${ID}:1.2.0:${checksum}`],
    [toggleKey("paused")(one, of), `dir:pkg_toggle:acme:${ID}:paused`],
    [toggleKey("active")({ ...one, round: 1 }, of), `dir:pkg_toggle:acme:${ID}:active:1`],
    [uninstallKey(one, of), `dir:pkg_uninstall:acme:${ID}`],
    [rollbackKey({ ...one, upgrade_id: OTHER }, of), `dir:pkg_rollback:acme:${ID}:${OTHER}`],
  ])("%s", (key, expected) => {
    expect(key).toBe(expected)
    // Otherwise no directive could have it.
    expect(redactText(key)).toBe(key)
  })
})

describe("params", () => {
  const check = (
    schema: typeof installParams | typeof rollbackParams | typeof upgradeParams | typeof installationParams,
    value: unknown,
  ) => schema["~standard"].validate(value)

  test.each([
    [installParams, install],
    [installParams, { ...install, credentials: [{ name: "api_key", id: ID }], installation_id: ID, round: 1 }],
    [upgradeParams, { ...install, installation_id: ID }],
    [installationParams, one],
    [rollbackParams, { ...one, upgrade_id: OTHER }],
  ])("that fit are what they were", (schema, params) => {
    expect(check(schema, params)).toEqual({ value: params })
  })

  test.each([
    [installParams, [], []],
    [installParams, {}, ["package_slug", "version"]],
    [installParams, { ...install, package_slug: "GitHub" }, ["package_slug"]],
    [installParams, { ...install, config: [] }, ["config"]],
    [installParams, { ...install, credentials: [{ name: "x", id: "y" }] }, ["credentials"]],
    [installParams, { ...install, credentials: { x: ID } }, ["credentials"]],
    [installParams, { ...install, round: 0 }, ["round"]],
    [installParams, { ...install, colour: "red" }, ["colour"]],
    [upgradeParams, install, ["installation_id"]],
    [installationParams, { ...one, installation_id: "1" }, ["installation_id"]],
    [rollbackParams, one, ["upgrade_id"]],
  ])("that do not fit are told: %#", async (schema, params, paths) => {
    const { issues = [] } = await check(schema, params)
    expect(issues.flatMap(({ path = [] }) => path)).toEqual(paths)
    expect(issues).not.toHaveLength(0)
  })
})
