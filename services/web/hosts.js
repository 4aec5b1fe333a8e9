// The hosts that deployers install releases on: what bundles must be built for.

import { all } from "./api.js";
import { fill, h } from "./dom.js";
import { resource, section, table } from "./page.js";
import { since } from "./times.js";

/** The section of the hosts, and how to read it again. */
export function hosts(page) {
  const body = h("div");
  const read = () => all("/v1/hosts", {}, page.signal);
  const load = resource(page, body, read, (found) => fill(body, found.length ? hostTable(found) : nobody()));
  return [section("Hosts", body), load];
}

const hostTable = (found) =>
  table(
    [
      ["Deployer", (row) => row.host],
      ["Python", python],
      ["Platform", (row) => h("code", {}, platform(row)), "wide"],
      ["Heard of", (row) => since(row.heard_at)],
    ],
    found,
    "Hosts",
  );

const python = ({ environment: facts }) => `${facts.platform_python_implementation} ${facts.python_full_version}`;

/** The newest libc that it has; wheels for older ones are taken, too. */
const platform = ({ platforms }) => platforms.find((tag) => !tag.startsWith("linux_")) ?? platforms[0];

const nobody = () => h("p", { class: "muted" }, "No deployer has said yet what can be installed where.");
