// Wiring only: log in, connect the stream, show the view of the address.

import { unanswered } from "./api.js";
import { fill } from "./dom.js";
import { refused } from "./feedback.js";
import { on, stream } from "./live.js";
import { askForToken, whoAmI } from "./login.js";
import { newStrategyView } from "./new_strategy.js";
import { newOperationView } from "./new_operation.js";
import { followUnread, notificationsView } from "./notifications.js";
import { operationView, operationsView } from "./operations.js";
import { failure } from "./page.js";
import { bundleView, releaseView, releasesView } from "./releases.js";
import { startRouter } from "./router.js";
import { forget, session, tokenFromAddress } from "./session.js";
import { markPlace, startShell, startTheme } from "./shell.js";
import { siteView } from "./site.js";
import { sitesView } from "./sites.js";
import { strategiesView } from "./strategies.js";
import { strategyView } from "./strategy.js";
import { systemView } from "./system.js";

const ROUTES = [
  ["/", strategiesView, "strategies"],
  ["/new-strategy", newStrategyView, "strategies"],
  ["/strategies/:id", strategyView, "strategies"],
  ["/releases", releasesView, "releases"],
  ["/releases/:app/:version", releaseView, "releases"],
  ["/bundles/:sha256", bundleView, "releases"],
  ["/sites", sitesView, "sites"],
  ["/sites/:name", siteView, "sites"],
  ["/operations", operationsView, "operations"],
  ["/new-operation", newOperationView, "operations"],
  ["/operations/:id", operationView, "operations"],
  ["/notifications", notificationsView, "notifications"],
  ["/system", systemView, "system"],
];

const root = document.getElementById("main");
let stopRouter = () => {};

async function start(why = null) {
  tokenFromAddress();
  if (!(await knownToken())) await askForToken(root, why);
  fill(root);
  startShell(() => logOut());
  stream.start();
  followUnread();
  stopRouter = startRouter(ROUTES, root, markPlace);
}

async function knownToken() {
  if (!session.token) return false;
  try {
    await whoAmI();
    return true;
  } catch (error) {
    if (error.status !== 401) fill(root, failure(error, () => location.reload()));
    if (error.status !== 401) throw error;
    return false;
  }
}

function logOut(why = null) {
  if (!session.token) return;
  forget();
  stream.stop();
  stopRouter();
  start(why);
}

/** A command that had no answer in time may be refused later. */
function showLateRefusal({ data }) {
  const what = unanswered.get(data?.command_id);
  if (unanswered.delete(data?.command_id)) refused(`Not done: ${what}`, { faults: data.faults, message: data.code });
}

startTheme();
on("command_rejected", showLateRefusal);
on("command_accepted", ({ data }) => unanswered.delete(data?.command_id));
addEventListener("logged-out", () => logOut("The token is no longer valid. Log in again."));
addEventListener("hashchange", () => location.hash.startsWith("#token=") && location.reload());
start();
