-- Strategies that were planned before this stood here are not known: the releases that they lead to are not protected by it.
create table strategy_target (
    strategy_id text not null,
    strategy text not null,
    app text not null,
    version text not null,
    needed_until timestamptz not null,
    primary key (strategy_id, version)
);
create index strategy_target_by_app on strategy_target (app);
