//! Classes: state and how it is lent, attributes, operators, bases.

use micropython::prelude::*;

/// An account. Its owner is a Python object that only Rust refers to.
#[class]
pub struct Account {
    owner: Obj,
    balance: i64,
    /// Kept by the collector through the instance's state.
    notes: List,
}

#[class]
impl Account {
    /// What balances are counted in.
    pub const UNIT: &'static str = "céntimos";

    /// Opens an account.
    #[new]
    #[signature(owner, balance = 0)]
    fn new(owner: Obj, balance: i64) -> Result<Self> {
        if balance < 0 {
            return Err(Error::text(qstr!("ValueError"), c"balance below 0"));
        }
        Ok(Account {
            owner,
            balance,
            notes: List::new(&[]),
        })
    }

    /// Pays in, and returns the balance.
    #[signature(amount = 1)]
    fn pay(&mut self, amount: i64) -> i64 {
        self.balance += amount;
        self.balance
    }

    /// Calls `f()` while the state is lent, exclusively.
    fn while_lent(&mut self, f: Obj) -> Result<i64> {
        self.balance += 1;
        f.call(&[]);
        self.balance += 1;
        Ok(self.balance)
    }

    /// The same, shared.
    fn while_shared(&self, f: Obj) -> Result<Obj> {
        Ok(f.call(&[]))
    }

    /// Without lending anything while `f` runs; sees what it did.
    fn around(this: This<Self>, f: Obj) -> Result<(i64, i64)> {
        let before = this.with(|account| account.balance)?;
        f.call(&[]);
        let after = this.with_mut(|account| {
            account.balance += 1000;
            account.balance
        })?;
        Ok((before, after))
    }

    /// Calls `self.pay` as Python sees it, so a subclass may have overridden it.
    fn pay_virtually(this: This<Self>) -> Obj {
        this.obj().call_method(qstr!("pay"), &[])
    }

    fn note(&mut self, note: Obj) -> usize {
        self.notes.push(note);
        self.notes.len()
    }

    #[getter]
    fn notes(&self) -> List {
        self.notes
    }

    #[getter]
    fn owner(&self) -> Obj {
        self.owner
    }

    #[setter]
    fn set_owner(&mut self, owner: Obj) {
        self.owner = owner;
    }

    /// The balance, which can only be read.
    #[getter]
    fn balance(&self) -> i64 {
        self.balance
    }

    #[staticmethod]
    #[signature(*amounts)]
    fn total(amounts: &[Obj]) -> i64 {
        amounts.iter().filter_map(|amount| amount.to_i64()).sum()
    }

    #[classmethod]
    fn empty(class: Obj, owner: Obj) -> Obj {
        class.call(&[owner])
    }

    /// A new one, made by Rust.
    fn half(&mut self) -> Account {
        let balance = self.balance / 2;
        self.balance -= balance;
        Account {
            owner: self.owner,
            balance,
            notes: List::new(&[]),
        }
    }

    /// Takes another of the class.
    fn richer_than(&self, other: This<Account>) -> Result<bool> {
        Ok(self.balance > other.with(|other| other.balance)?)
    }

    #[name = "import"]
    fn under_a_name_that_rust_reserves(&self) -> bool {
        true
    }

    #[skip]
    fn rusts_own(&self) -> i64 {
        self.balance
    }

    fn __repr__(&self) -> Obj {
        let text = Obj::from_text("Account({!r}, {})");
        let values = [self.owner, Obj::from_i64(self.rusts_own())];
        text.call_method(qstr!("format"), &values)
    }
}

/// A length, for operators.
#[class]
pub struct Meters {
    n: f64,
}

#[class]
impl Meters {
    #[new]
    #[signature(n = 0)]
    fn new(n: f64) -> Self {
        Meters { n }
    }

    #[getter]
    fn n(&self) -> f64 {
        self.n
    }

    fn __add__(&self, other: Obj) -> Result<Obj> {
        match This::<Meters>::new(other) {
            Ok(other) => Ok(micropython::instance(Meters {
                n: self.n + other.with(|other| other.n)?,
            })),
            Err(_) => Ok(Obj::not_implemented()),
        }
    }

    fn __mul__(&self, factor: f64) -> Meters {
        Meters { n: self.n * factor }
    }

    fn __iadd__(this: This<Self>, other: This<Self>) -> Result<This<Self>> {
        let n = other.with(|other| other.n)?;
        this.with_mut(|this| this.n += n)?;
        Ok(this)
    }

    fn __neg__(&self) -> Meters {
        Meters { n: -self.n }
    }

    fn __eq__(&self, other: This<Self>) -> Result<bool> {
        Ok(self.n == other.with(|other| other.n)?)
    }

    fn __lt__(&self, other: This<Self>) -> Result<bool> {
        Ok(self.n < other.with(|other| other.n)?)
    }

    fn __hash__(&self) -> i32 {
        self.n as i32
    }

    fn __bool__(&self) -> bool {
        self.n != 0.0
    }

    fn __len__(&self) -> usize {
        self.n as usize
    }

    fn __contains__(&self, n: f64) -> bool {
        n <= self.n
    }

    fn __getitem__(&self, i: usize) -> Result<f64> {
        if i > 2 {
            return Err(Error::new(qstr!("IndexError")));
        }
        Ok(self.n / [1.0, 1000.0, 1609.344][i])
    }

    fn __setitem__(&mut self, i: usize, value: f64) -> Result<()> {
        if i > 0 {
            return Err(Error::new(qstr!("IndexError")));
        }
        self.n = value;
        Ok(())
    }

    fn __call__(&self, times: i32) -> f64 {
        self.n * f64::from(times)
    }
}

/// An exception of this module.
#[class(base = "ValueError")]
pub struct Problem;

/// A class whose instances have Python attributes only.
#[class]
pub struct Stateless;

#[class]
impl Stateless {
    #[signature(value = None)]
    fn __init__(this: Obj, value: Obj) {
        this.set(qstr!("value"), value);
    }

    fn twice(this: Obj) -> i64 {
        2 * this.get(qstr!("value")).to_i64().unwrap_or(0)
    }
}

/// Rust state on top of a class that Python's library has, and which gets the same arguments.
#[class(base = "collections.OrderedDict", name = "TaggedDict")]
pub struct Tagged {
    tag: u32,
}

#[class]
impl Tagged {
    #[new]
    fn new(items: List) -> Self {
        Tagged {
            tag: items.len() as u32,
        }
    }

    #[getter]
    fn tag(&self) -> u32 {
        self.tag
    }

    fn items_and_tag(this: This<Self>) -> Result<(Obj, u32)> {
        let list = Obj::global(qstr!("list"));
        let items = this.obj().call_method(qstr!("items"), &[]);
        Ok((list.call(&[items]), this.with(|this| this.tag)?))
    }
}
