-- The currencies that accounts may be kept in, by ISO 4217, with the digits behind the point. A new one is a new script.
create table currencies (
    code char(3) primary key check (code ~ '^[A-Z]{3}$'),
    name text not null,
    digits smallint not null check (digits between 0 and 4)
);
insert into currencies (code, name, digits) values
    ('CHF', 'Swiss franc', 2),
    ('EUR', 'Euro', 2),
    ('GBP', 'Pound sterling', 2),
    ('JPY', 'Yen', 0),
    ('USD', 'US dollar', 2);
