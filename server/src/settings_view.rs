//! Settings in the units and types that the loops want.
