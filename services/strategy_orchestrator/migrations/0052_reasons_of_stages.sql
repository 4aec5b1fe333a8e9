-- A stage keeps its one reason, whatever gate it is of.
alter table stage
    add column why_code text,
    add column why_message text,
    drop column full_groups;
