-- What was told without a number, before, counts as the first.
create sequence drift_number start 2;
