"""The process that runs Ansible for one order, or for several that share a run. It outlives the deployer."""
