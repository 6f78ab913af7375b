"""Names that stand for whatever a test wants, and change their mind."""

from chassis.addresses import AddressRefusedError, OutgoingAddresses

NAME = "server.example"


class Names(OutgoingAddresses):
    """The rule with made-up names, which need no TLS; a name may change its mind."""

    numbers: list[list[str]]

    def check_url(self, url: str) -> None:
        super().check_url(url.replace("http://", "https://"))

    async def resolve(self, host: str, port: int) -> list[str]:
        if host != NAME:
            return await super().resolve(host, port)
        numbers = self.numbers.pop(0)
        if "refused" in numbers:
            raise AddressRefusedError("must not be a private, local or reserved address")
        return numbers


def names(*numbers: list[str]) -> Names:
    """What the name stands for, at one connection after the other."""
    made = Names()
    object.__setattr__(made, "numbers", list(numbers))
    return made
