alter table stage drop column forecast;
