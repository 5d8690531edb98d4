"""asyncio: children, threads, a server and its client, timers."""
import asyncio
import time


async def child(number):
    script = f"echo {number} $$; date +%N; exit {number}"
    process = await asyncio.create_subprocess_exec("sh", "-c", script, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return number, output, process.returncode


async def serve(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()


async def main():
    for result in await asyncio.gather(*[child(number) for number in range(6)]):
        print(result)
    loop = asyncio.get_running_loop()
    print(await asyncio.gather(*[loop.run_in_executor(None, time.time_ns) for _ in range(10)]))
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    print(await reader.readline())
    writer.close()
    server.close()
    await asyncio.sleep(0.01)
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.01)
    except asyncio.TimeoutError:
        print("timed out", time.time_ns())


asyncio.run(main())
