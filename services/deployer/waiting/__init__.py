"""Operations that wait for something of the catalog before they begin. See the README of the deployer."""
