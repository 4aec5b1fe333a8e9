alter table operation drop column evidence;
