#include <unistd.h>

#include "app/program.hpp"

int main(int argc, char** argv) { return pw::app::run_program(argc, argv, environ); }
