//! Where keys live: the consistent-hash ring as a pure function (filled in next).
