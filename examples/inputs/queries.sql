create table numbers (id integer primary key, number integer, text text);
begin;
with recursive counter(n) as (select 1 union all select n + 1 from counter where n < 100000)
insert into numbers select n, random(), hex(randomblob(8)) from counter;
commit;
create index by_number on numbers (number);
select count(*), sum(number / 1000), min(text), max(text) from numbers;
select id, number from numbers order by number limit 5;
delete from numbers where id % 3 = 0;
select count(*), datetime('now'), strftime('%f', 'now') from numbers;
