"""The four jobs of a site, each deferred by the one before it; workers find them by the name of this module."""

from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector())


@app.task(queue="bench")
async def accepted(site: str) -> None:
    await started.defer_async(site=site)


@app.task(queue="bench")
async def started(site: str) -> None:
    await finished.defer_async(site=site)


@app.task(queue="bench")
async def finished(site: str) -> None:
    await recorded.defer_async(site=site)


@app.task(queue="bench")
async def recorded(site: str) -> None:
    return None
