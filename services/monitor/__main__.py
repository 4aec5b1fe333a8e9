"""`python -m services.monitor` runs one replica until SIGTERM or SIGINT."""

from services.monitor.run import main

if __name__ == "__main__":
    main()
