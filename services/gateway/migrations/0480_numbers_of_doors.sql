create table door_number (
    door text not null,
    kind text not null,
    key text not null,
    number bigint not null check (number > 0),
    given_at timestamptz not null,
    primary key (door, kind, key),
    unique (door, kind, number)
);
