-- Strategies that prestage and that remove.
alter table strategy
    drop constraint strategy_type_check,
    add constraint strategy_type_check check (type in ('prestage', 'apply', 'update', 'rollback', 'remove'));
