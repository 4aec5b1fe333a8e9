create table storage (
    -- How much the bundles take. One row, once the catalog has said something.
    one boolean primary key check (one),
    used_bytes bigint not null,
    bundles bigint not null,
    withdrawn_bytes bigint not null,
    reclaimable_bytes bigint not null,
    free_bytes bigint,
    measured_at timestamptz not null,
    seq bigint not null
);
