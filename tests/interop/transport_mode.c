/* strongSwan's ESP in user space knows tunnel mode only. What it is asked for in transport mode, it does in tunnel mode
   when this library is loaded before it: so that the negotiation can be watched to its end. No packet is ever carried. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TUNNEL = 2 };

typedef struct {
    uint32_t value, mask;
} Mark;

typedef struct {
    uint8_t *octets;
    size_t count;
} Octets;

typedef void *Create(uint32_t spi, void *source, void *destination, uint8_t protocol, uint32_t request, Mark mark,
                     uint32_t padding, void *lifetime, uint16_t encr, Octets encr_key, uint16_t integ, Octets integ_key,
                     int mode, uint16_t ipcomp, uint16_t cpi, bool encapsulated, bool esn, bool inbound);

void *ipsec_sa_create(uint32_t spi, void *source, void *destination, uint8_t protocol, uint32_t request, Mark mark,
                      uint32_t padding, void *lifetime, uint16_t encr, Octets encr_key, uint16_t integ,
                      Octets integ_key, int mode, uint16_t ipcomp, uint16_t cpi, bool encapsulated, bool esn,
                      bool inbound)
{
    /* A plugin brings that library with it, out of sight of RTLD_NEXT. */
    void *library = dlopen("libipsec.so.0", RTLD_LAZY | RTLD_NOLOAD);
    Create *create = (Create *)dlsym(library, "ipsec_sa_create");
    (void)mode;
    return create(spi, source, destination, protocol, request, mark, padding, lifetime, encr, encr_key, integ, integ_key,
                  TUNNEL, ipcomp, cpi, encapsulated, esn, inbound);
}
