// All of the shim as one file: libtorch's headers take most of the compiler's time, and are read once instead of six times.
#include "collectives.cpp"
#include "engine.cpp"
#include "norm.cpp"
#include "optim.cpp"
#include "pointwise.cpp"
#include "reducer.cpp"
#include "small_map.cpp"
#include "wait.cpp"
