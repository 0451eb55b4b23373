//! To be replaced by the judge.
use judge::history::Line;
pub struct Fold;
pub struct Account { pub balance: i64 }
#[derive(Default)]
pub struct Totals { pub commits: u64, pub events: u64, pub accounts: u64, pub debits: u64, pub crossings: u64, pub foreign: u64 }
impl Fold {
    pub fn new(_: u16) -> Self { Fold }
    pub fn commit(&mut self, _: u64, _: &[u8]) -> Result<(), String> { Ok(()) }
    pub fn foreign(&mut self, _: u64) -> Result<(), String> { Ok(()) }
    pub fn check_sums(&self) -> Result<(), String> { Ok(()) }
    pub fn totals(&self) -> Totals { Totals::default() }
    pub fn accounts(&self) -> impl Iterator<Item = ((&str, &str), &Account)> { std::iter::empty() }
}
#[derive(Default)]
pub struct Effects;
impl Effects { pub fn take(&mut self, _: &[u8]) -> Result<(), String> { Ok(()) } }
pub fn check(_: &[Line], _: &Effects) -> Vec<String> { vec![] }
