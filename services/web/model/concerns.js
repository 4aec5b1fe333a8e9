// Which events speak of what a view shows. One without its body, or that does not list whom it is about, may.

/** Whether an event may speak of this site. */
export function concernsSite({ data }, name) {
  if (!data) return true;
  if (data.site) return data.site === name;
  const listed =
    data.names ??
    data.sites?.map((site) => site.name ?? site.site ?? site) ??
    data.deployments?.map(({ site }) => site);
  return listed?.includes(name) ?? true;
}

/** Whether an event may speak of this app on this site. */
export function concernsDeployment(event, site, app) {
  if (!concernsSite(event, site)) return false;
  const { data } = event;
  if (!data) return true;
  if (data.app) return data.app === app;
  return data.deployments?.some((each) => each.site === site && each.app === app) ?? true;
}

/** Whether an event may speak of this operation: it is its own, or tells what the operation brought. */
export function concernsOperation({ data }, id) {
  if (!data) return true;
  return data.operation_id === id || (data.deployments?.some(({ operation_id: brought }) => brought === id) ?? false);
}
