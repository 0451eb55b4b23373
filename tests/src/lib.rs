//! Drip as its users meet it: the real binary on real servers, and the house rules.
