"""The engine: takes operations up, walks their courses with the drivers, and writes and says what came of them."""
