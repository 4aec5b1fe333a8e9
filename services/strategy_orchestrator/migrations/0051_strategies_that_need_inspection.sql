-- A strategy whose counts do not fit its steps waits for a person.
alter table strategy
    drop constraint strategy_state_check,
    drop constraint strategy_check,
    drop constraint strategy_check1,
    add constraint strategy_state_check check (state in (
        'ready', 'applying', 'paused', 'aborting', 'needs_inspection', 'complete', 'failed', 'aborted')),
    add constraint only_what_aborts_ends_so check (
        state = 'needs_inspection' or (state = 'aborting') = (ends_as is not null)),
    add constraint what_lives_is_not_deleted check (
        deleted_at is null or state not in ('applying', 'paused', 'aborting', 'needs_inspection'));
