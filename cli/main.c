#include <stdio.h>

#include "saescope.h"

int main(void)
{
    printf("saescope %s\n", ss_version());
    return 0;
}
