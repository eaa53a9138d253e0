use super::pair::*;
