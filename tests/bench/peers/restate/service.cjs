// Restate's Node SDK: a service whose handler brings a site through four durable steps.
//
// It says its port when it serves, and takes the node_modules of the folder in which it is started.
"use strict";

const http2 = require("node:http2");
const { createRequire } = require("node:module");

// The SDK needs what Node.js has from 22 on; with 20 it gets the same made by hand.
Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
const restate = createRequire(`${process.cwd()}/`)("@restatedev/restate-sdk");

const sites = restate.service({
  name: "sites",
  handlers: {
    upgrade: async (context, site) => {
      const accepted = await context.run("accepted", () => site);
      const started = await context.run("started", () => accepted);
      const finished = await context.run("finished", () => started);
      return context.run("recorded", () => finished);
    },
  },
});

const server = http2.createServer(restate.createEndpointHandler({ services: [sites], logger: () => {} }));
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
