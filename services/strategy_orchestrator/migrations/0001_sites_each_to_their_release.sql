-- Steps have a release of their own to reach, and remember what was there before; plans know drivers and pasts.
alter table strategy add column operation text;
alter table strategy add column left_out integer not null default 0;
alter table strategy add column skipped integer not null default 0;
alter table step add column target text;
alter table step add column before text;
alter table step add column changed boolean not null default false;
alter table deployment add column history text[];
alter table release add column drivers text[];
