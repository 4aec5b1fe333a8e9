// Wiring only: log in, connect the stream, show the view of the address.

import { alarmsView } from "./alarms.js";
import { unanswered } from "./api.js";
import { appView } from "./app.js";
import { auditView } from "./audit.js";
import { heedOff } from "./buttons.js";
import { deploymentView } from "./deployment.js";
import { deploymentsView } from "./deployments.js";
import { fill } from "./dom.js";
import { closeByEscape, refused } from "./feedback.js";
import { groupView } from "./groups.js";
import { on, onConnection, stream } from "./live.js";
import { askForToken, whoAmI } from "./login.js";
import { newOperationView } from "./new_operation.js";
import { newStrategyView } from "./new_strategy.js";
import { newSubscriptionView } from "./new_subscription.js";
import { followUnread, notificationsView } from "./notifications.js";
import { operationsView, operationView } from "./operations.js";
import { overridesView } from "./overrides.js";
import { failure } from "./page.js";
import { restUnseen } from "./presence.js";
import { bundleView, releasesView, releaseView } from "./releases.js";
import { startRouter } from "./router.js";
import { secretsView } from "./secrets.js";
import { drop, forget, onForgotten, session, tokenFromAddress, tokenFromOtherTab } from "./session.js";
import { markPlace, startShell, startTheme } from "./shell.js";
import { siteView } from "./site.js";
import { siteRunView } from "./site_runs.js";
import { sitesView } from "./sites.js";
import { strategiesView } from "./strategies.js";
import { strategyView } from "./strategy.js";
import { subscriptionsView, subscriptionView } from "./subscriptions.js";
import { systemView } from "./system.js";
import { keepTimes } from "./times.js";

const ROUTES = [
  ["/", strategiesView, "strategies"],
  ["/new-strategy", newStrategyView, "strategies"],
  ["/strategies/:id", strategyView, "strategies"],
  ["/releases", releasesView, "releases"],
  ["/releases/:app/:version", releaseView, "releases"],
  ["/apps/:app", appView, "releases"],
  ["/bundles/:sha256", bundleView, "releases"],
  ["/sites", sitesView, "sites"],
  ["/alarms", alarmsView, "sites"],
  ["/groups/:name", groupView, "sites"],
  ["/deployments", deploymentsView, "sites"],
  ["/sites/:name", siteView, "sites"],
  ["/deployments/:site/:app", deploymentView, "sites"],
  ["/overrides/:app/:component", overridesView, "sites"],
  ["/site-runs/:id", siteRunView, "sites"],
  ["/secrets", secretsView, "sites"],
  ["/operations", operationsView, "operations"],
  ["/new-operation", newOperationView, "operations"],
  ["/operations/:id", operationView, "operations"],
  ["/notifications", notificationsView, "notifications"],
  ["/subscriptions", subscriptionsView, "notifications"],
  ["/new-subscription", newSubscriptionView, "notifications"],
  ["/subscriptions/:name", subscriptionView, "notifications"],
  ["/system", systemView, "system"],
  ["/audit", auditView, "audit"],
];

const PATIENCE_MS = 300;
const EXPIRED = "The token is no longer valid. Log in again.";

const root = document.getElementById("main");
const gate = document.getElementById("gate");
let stopRouter = () => {};

async function start(why = null) {
  tokenFromAddress();
  if (!session.token) await tokenFromOtherTab();
  const kept = Boolean(session.token);
  if (!(await knownToken())) await atTheGate(why ?? (kept ? EXPIRED : null));
  fill(root);
  startShell(() => logOut());
  await listening();
  followUnread();
  stopRouter = startRouter(ROUTES, root, markPlace);
}

/** Views read after the stream is open, or they would read everything twice; but they do not wait long for it. */
function listening() {
  const opened = new Promise((resolve) => onConnection((state) => state === "live" && resolve()));
  stream.start();
  return Promise.race([opened, new Promise((wake) => setTimeout(wake, PATIENCE_MS))]);
}

/** Ask for a token in place of everything else. */
async function atTheGate(why) {
  const others = [document.getElementById("top"), root];
  gate.hidden = false;
  for (const other of others) other.hidden = true;
  await askForToken(gate, why);
  gate.hidden = true;
  for (const other of others) other.hidden = false;
}

async function knownToken() {
  if (!session.token) return false;
  try {
    await whoAmI();
    return true;
  } catch (error) {
    if (error.status === 401) return false;
    fill(
      root,
      failure(error, () => location.reload()),
    );
    throw error;
  }
}

function logOut(why = null) {
  if (!session.role) return; // nobody is logged in: the form for the token says what was wrong with it
  forget();
  leave(why);
}

function leave(why = null) {
  drop();
  stream.stop();
  stopRouter();
  start(why);
}

/** The token stopped to work under an open view: what somebody has written there waits for them to come back. */
async function expired() {
  const { name, role } = session;
  drop();
  stream.stop();
  await atTheGate(EXPIRED);
  if (session.name === name && session.role === role) stream.start();
  else location.reload(); // what is shown was for another person
}

/** A command that had no answer in time may be refused later. */
function showLateRefusal({ data }) {
  const what = unanswered.get(data?.command_id);
  if (unanswered.delete(data?.command_id)) refused(`Not done: ${what}`, { faults: data.faults, message: data.code });
}

/** Its address would be taken for that of a view. */
function skip(event) {
  event.preventDefault();
  root.focus();
}

startTheme();
keepTimes();
document.querySelector(".skip").addEventListener("click", skip);
closeByEscape();
heedOff((why) => refused("This is off", { message: why }));
restUnseen(stream);
on("command_rejected", showLateRefusal);
on("command_accepted", ({ data }) => unanswered.delete(data?.command_id));
addEventListener("logged-out", () => session.role && expired());
onForgotten(() => leave());
addEventListener("hashchange", () => location.hash.startsWith("#token=") && location.reload());
start();
